//! From one list of search paths to another, with as few commands rewritten as the order allows.

/// What becomes of the `LC_RPATH` commands, in the order in which they will stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// The next old command stays as it is.
    Keep,
    /// The next old command goes.
    Drop,
    /// A new command comes here.
    Insert(&'a str),
}

/// The steps that lead from `old` to `new`.
pub(super) fn steps<'a>(old: &[String], new: &'a [String]) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    let mut wanted = new.iter();
    for path in old {
        match wanted.as_slice().iter().position(|new| new == path) {
            Some(before) => {
                steps.extend(wanted.by_ref().take(before).map(|path| Step::Insert(path)));
                wanted.next();
                steps.push(Step::Keep);
            }
            None => steps.push(Step::Drop),
        }
    }
    steps.extend(wanted.map(|path| Step::Insert(path)));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.split_terminator(' ').map(str::to_owned).collect()
    }

    #[test]
    fn every_list_leads_to_every_other() {
        let lists = ["", "a", "b", "a b", "b a", "a a", "a b c", "c a", "x b y", "a b a"].map(list);
        for old in &lists {
            for new in &lists {
                let mut rest = old.iter();
                let mut became = Vec::new();
                for step in steps(old, new) {
                    match step {
                        Step::Keep => became.push(rest.next().unwrap().clone()),
                        Step::Drop => drop(rest.next().unwrap()),
                        Step::Insert(path) => became.push(path.to_owned()),
                    }
                }
                assert_eq!((&became, rest.next()), (new, None), "from {old:?}");
            }
        }
    }

    #[test]
    fn what_stays_is_not_rewritten() {
        let (old, new) = (list("a b c"), list("a n c"));
        assert_eq!(steps(&old, &new), [Step::Keep, Step::Drop, Step::Insert("n"), Step::Keep]);
        assert_eq!(steps(&old, &old), [Step::Keep; 3]);
    }
}
