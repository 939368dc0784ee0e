//! Fixture builders and real loaders for the end-to-end tests.
