//! Dynamic string tokens (ld.so(8), "Dynamic string tokens").

/// Replaces `$ORIGIN`, `$LIB` and `$PLATFORM`, with or without braces; other names stay as they are. `None` when one
/// has no value: the loader drops such an entry.
pub(super) fn expand(text: &str, origin: Option<&str>, lib: &str, platform: &str) -> Option<String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let known = [("ORIGIN", origin), ("PLATFORM", Some(platform)), ("LIB", Some(lib))];
        let token = known.iter().find_map(|(name, value)| Some((*value, after_token(after, name)?)));
        match token {
            Some((value, after)) => {
                expanded.push_str(value.filter(|value| !value.is_empty())?);
                rest = after;
            }
            None => {
                expanded.push('$');
                rest = after;
            }
        }
    }
    expanded.push_str(rest);
    Some(expanded)
}

/// What follows `$ORIGIN` at the start of an entry; `None` when it starts otherwise.
pub(super) fn after_origin(text: &str) -> Option<&str> {
    after_token(text.strip_prefix('$')?, "ORIGIN")
}

/// What follows `NAME` or `{NAME}`; a name goes on as long as an identifier does.
fn after_token<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    if let Some(braced) = text.strip_prefix('{') {
        return braced.strip_prefix(name)?.strip_prefix('}');
    }
    let rest = text.strip_prefix(name)?;
    let goes_on = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (!goes_on).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let expand = |text| expand(text, Some("/o"), "lib64", "haswell");
        assert_eq!(expand("$ORIGIN/../${LIB}/$PLATFORM").unwrap(), "/o/../lib64/haswell");
        assert_eq!(expand("/x${ORIGIN}y").unwrap(), "/x/oy");
        assert_eq!(expand("$ORIGINAL/$FOO/$").unwrap(), "$ORIGINAL/$FOO/$");
        assert_eq!(expand("${ORIGIN/x").unwrap(), "${ORIGIN/x");
        assert_eq!(super::expand("$ORIGIN/x", None, "lib", "p"), None);
        assert_eq!(after_origin("${ORIGIN}/x"), Some("/x"));
        assert_eq!(after_origin("/$ORIGIN"), None);
    }
}
