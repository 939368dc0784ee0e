//! The macho backend. It registers nothing yet: `spokeshave backends` does not list it, and such wheels are refused
//! with a message that names the missing backend.
