//! The wheel container: reader, metadata, writer.
