//! Why no better tag: what bars it, grouped by the tag that is left.

use std::collections::BTreeMap;

use spokeshave_core::Obstacle;

use super::style::{ALL, CARRIED, DIM, HEADING, columns, fold, names, paint};

/// The obstacles, those that bar most first. What several files ask for stands once.
pub fn obstacles(obstacles: &[Obstacle], indent: &str, verbose: bool) -> String {
    let mut groups: BTreeMap<Rank, Vec<&Obstacle>> = BTreeMap::new();
    for obstacle in obstacles {
        groups.entry(Rank::of(obstacle)).or_default().push(obstacle);
    }
    let group = |(rank, group): (&Rank, &Vec<&Obstacle>)| {
        format!("{indent}{}\n{}", heading(rank), fold(&rows(group, verbose), &format!("{indent}  "), verbose))
    };
    groups.iter().map(group).collect()
}

fn heading(rank: &Rank) -> String {
    let best = match &rank.tag {
        Some(Natural(tag)) => format!("{} at best", paint(HEADING, tag)),
        None => paint(HEADING, "nothing but the plain platform tag"),
    };
    if rank.repairable { format!("{best} {}", paint(CARRIED, "until it is repaired")) } else { best }
}

fn rows(group: &[&Obstacle], verbose: bool) -> Vec<String> {
    let mut askers: BTreeMap<(&str, Option<&str>), Vec<&str>> = BTreeMap::new();
    for obstacle in group {
        askers.entry((&obstacle.what, obstacle.provider.as_deref())).or_default().push(&obstacle.file);
    }
    let most = if verbose { ALL } else { 2 };
    let row = |((what, provider), mut files): ((&str, Option<&str>), Vec<&str>)| {
        files.sort_unstable();
        files.dedup();
        [
            what.to_owned(),
            provider.map(|p| format!("of {p}")).unwrap_or_default(),
            format!("in {}", names(&files, most)),
        ]
    };
    let rows: Vec<[String; 3]> = askers.into_iter().map(row).collect();
    columns(&rows, [anstyle::Style::new(), DIM, DIM])
}

/// Worst first: what carrying can't help, then no tag at all, then the newest (the fewest machines have it).
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    repairable: bool,
    tag: Option<Natural>,
}

impl Rank {
    fn of(obstacle: &Obstacle) -> Self {
        Rank { repairable: obstacle.repairable, tag: obstacle.tag.clone().map(Natural) }
    }
}

/// A tag, compared so that the greater number comes first: `manylinux_2_34`, `manylinux_2_17`.
#[derive(PartialEq, Eq)]
struct Natural(String);

impl Natural {
    fn parts(&self) -> Vec<Result<u64, &str>> {
        self.0.split('_').map(|part| part.parse().map_err(|_| part)).collect()
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.parts().cmp(&self.parts()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
