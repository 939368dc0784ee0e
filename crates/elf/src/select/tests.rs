//! Selection over closures made by hand.

mod android;
mod choice;
mod package;
mod property;
mod words;
