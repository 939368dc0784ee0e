mod kit;
mod package;
mod rules;
