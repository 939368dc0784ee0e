//! The corpus judged by auditwheel 6.8.2 and by us: the same tags and the same carried libraries, but for what
//! `docs/auditwheel-differences.md` says.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use spokeshave_testkit::{Bench, Wheel, python, run};

/// What a tool says of one wheel, as the table writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    /// The tag that it fits as it is.
    show: String,
    /// The platform tags of the repaired wheel, or `refused`.
    repair: String,
    /// What is carried, sorted.
    carried: Vec<String>,
}

/// A row of the table: what auditwheel says and what we say, where that differs.
#[derive(Debug, Default)]
struct Row {
    show: Option<(String, String)>,
    repair: Option<(String, String)>,
}

/// Reads the rows of the table that begin with the name of a wheel.
fn differences() -> BTreeMap<String, Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/auditwheel-differences.md");
    let text = fs_err::read_to_string(path).unwrap();
    let cell = |cell: &str| {
        let (theirs, ours) = cell.split_once('→')?;
        let plain = |text: &str| text.trim().trim_matches('`').to_owned();
        Some((plain(theirs), plain(ours)))
    };
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').collect();
        let name = cells[0].trim().trim_matches('`').to_owned();
        Some((name, Row { show: cell(cells[1]), repair: cell(cells[2]) }))
    });
    rows.collect()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|v| v.as_str().unwrap().to_owned()).collect()
}

fn theirs(answer: &Value) -> Answer {
    let repaired = strings(&answer["repair"]);
    Answer {
        show: answer["show"].as_str().unwrap_or("refused").to_owned(),
        repair: if repaired.is_empty() { "refused".to_owned() } else { repaired.join(".") },
        carried: strings(&answer["carried"]),
    }
}

fn ours(bench: &Bench, case: &Value, libs: &str) -> Answer {
    let wheel = case["wheel"].as_str().unwrap();
    let run = |args: &[&str]| {
        let mut command = bench.command();
        spokeshave_testkit::Outcome::of(command.env("LD_LIBRARY_PATH", libs).args(args))
    };
    let shown = run(&["show", "--json", wheel]).json();
    let name = case["name"].as_str().unwrap();
    let house = bench.path(&format!("ours/{name}/x")).parent().unwrap().to_owned();
    let args = strings(&case["args"]);
    let mut line = vec!["repair", "-w", house.to_str().unwrap()];
    line.extend(args.iter().map(String::as_str));
    line.push(wheel);
    let outcome = run(&line);
    let written: Vec<_> = fs_err::read_dir(&house).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(written.len(), usize::from(outcome.code == Some(0)), "{outcome:?}");
    let mut answer = Answer {
        show: strings(&shown["tags_as_is"]).first().cloned().unwrap_or_else(|| "none".to_owned()),
        repair: "refused".to_owned(),
        carried: Vec::new(),
    };
    if let Some(path) = written.first() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let mut tags: Vec<&str> = stem.rsplit('-').next().unwrap().split('.').collect();
        tags.sort_unstable();
        answer.repair = tags.join(".");
        let names = Wheel::new(path.clone()).names().into_iter();
        answer.carried = names.filter(|name| name.contains(".libs/") && !name.ends_with('/')).collect();
        answer.carried.sort();
    }
    answer
}

#[test]
fn same_wheel_same_tag() {
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let out = bench.path("corpus").to_str().unwrap().to_owned();
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus");
    run(python(), [&format!("{scripts}/make.py"), &out]);
    let script = format!("{scripts}/ask_auditwheel.py");
    let corpus_dir = out.clone();
    let asked = std::thread::spawn(move || run(python(), [&script, &corpus_dir]));
    let corpus: Value =
        serde_json::from_str(&fs_err::read_to_string(format!("{out}/corpus.json")).unwrap()).unwrap();
    let libs = corpus["libs"].as_str().unwrap();

    let cases = corpus["cases"].as_array().unwrap();
    let ours: Vec<Answer> = cases.iter().map(|case| ours(&bench, case, libs)).collect();
    let answers: Value = serde_json::from_str(&asked.join().unwrap()).unwrap();

    let mut differences = differences();
    let mut wrong = Vec::new();
    for (case, ours) in cases.iter().zip(ours) {
        let name = case["name"].as_str().unwrap();
        let theirs = theirs(&answers[name]);
        let row = differences.remove(name).unwrap_or_default();
        let as_said = |said: &Option<(String, String)>, theirs: &str, ours: &str| match said {
            Some((a, b)) => a == theirs && b == ours && a != b,
            None => theirs == ours,
        };
        let carried = row.repair.is_some() || theirs.carried == ours.carried;
        if !as_said(&row.show, &theirs.show, &ours.show)
            || !as_said(&row.repair, &theirs.repair, &ours.repair)
            || !carried
        {
            wrong
                .push(format!("{name}\n  auditwheel {theirs:?}\n  spokeshave {ours:?}\n  the table {row:?}"));
        }
    }
    assert!(cases.len() > 200, "{}", cases.len());
    assert!(differences.is_empty(), "the table names wheels that are not in the corpus: {differences:?}");
    assert!(wrong.is_empty(), "{} of {} wheels\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
