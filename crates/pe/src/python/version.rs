//! The oldest interpreter that a wheel is for.

/// `(3, 10)`.
pub type PythonVersion = (u32, u32);

/// By the tags (`cp39-abi3`) and `Requires-Python`; `None` when they allow any. A clause that is no lower bound is passed
/// over, so the answer is never too new.
pub fn oldest(pythons: &[String], requires: Option<&str>) -> Option<PythonVersion> {
    let by_tag = |tag: &String| tag.split('-').next().and_then(of_tag);
    let by_tags = match pythons.iter().map(by_tag).collect::<Option<Vec<_>>>() {
        Some(versions) => versions.into_iter().min(),
        None => None,
    };
    let by_clause = requires.into_iter().flat_map(|text| text.split(',')).filter_map(of_clause).max();
    by_tags.max(by_clause)
}

/// `cp39` → 3.9, `py3` → 3.0, `pp310` → 3.10.
fn of_tag(tag: &str) -> Option<PythonVersion> {
    let digits = ["cp", "py", "pp"].iter().find_map(|prefix| tag.strip_prefix(prefix))?;
    let (major, minor) = digits.split_at_checked(1)?;
    Some((major.parse().ok()?, if minor.is_empty() { 0 } else { minor.parse().ok()? }))
}

/// `>=3.8` → 3.8, `~=3.9.2` → 3.9, `>3.7` → 3.7 (PEP 440, "Version specifiers").
fn of_clause(clause: &str) -> Option<PythonVersion> {
    let clause = clause.trim();
    let operators = ["===", "==", ">=", "~=", ">"];
    let version = operators.iter().find_map(|operator| clause.strip_prefix(operator))?;
    let mut parts = version.trim().split('.').map_while(|part| part.parse::<u32>().ok());
    Some((parts.next()?, parts.next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_tags_and_metadata() {
        let oldest = |tags: &[&str], requires| {
            oldest(&tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>(), requires)
        };
        assert_eq!(oldest(&["cp312-cp312"], None), Some((3, 12)));
        assert_eq!(oldest(&["cp39-abi3"], Some(">=3.8")), Some((3, 9)));
        assert_eq!(oldest(&["py3-none"], Some(">=3.10, <4")), Some((3, 10)));
        assert_eq!(oldest(&["py2-none", "py3-none"], None), Some((2, 0)));
        assert_eq!(oldest(&["cp38-cp38", "cp312-cp312"], Some("!=3.9.*,>3.7")), Some((3, 8)));
        assert_eq!(oldest(&["graalpy240-graalpy240_311_native"], None), None);
        assert_eq!(oldest(&["ip27-none", "cp312-none"], None), None);
        assert_eq!(oldest(&["pp310-pypy310_pp73"], Some("<4")), Some((3, 10)));
    }
}
