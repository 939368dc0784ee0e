//! macOS wheels, end to end: fixtures by zig, judged by readers that share no code with us, and run by an emulator
//! whose small loader follows dyld's path rules.

mod bill;
mod chain;
mod kit;
mod names;
mod outputs;
mod slices;
mod tags;
