//! Selection over closures made by hand.
