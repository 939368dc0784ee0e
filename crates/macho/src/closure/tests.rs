mod kit;
mod package;
mod property;
mod rules;
