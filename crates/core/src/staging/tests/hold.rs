//! What is held of an origin, and that nothing stays.

use std::sync::mpsc;
use std::time::Duration;

use super::super::{Hold, Tree, stage};
use super::{Place, at};
use crate::{Event, EventSink, Silent};

#[test]
fn patched_and_unpatched() {
    let place = Place::new();
    place.build("target/tool", b"tool", 0o750);
    let before = place.listing();
    let out = place.path("dist/app");
    let mut tree = Tree::create(&out).unwrap();
    let staged = stage(&[place.path("target/app"), place.path("target/tool")], &out, &Silent).unwrap();
    let [app, tool] = <[_; 2]>::try_from(staged).unwrap();
    assert_eq!((app.hold(), app.mode(), tool.mode()), (Hold::Linked, 0o755, 0o750));
    assert_eq!(&*app.source().open().unwrap(), b"as built");
    let placed = vec![
        app.restore_origin().unwrap().place(Some(b"patched"), &mut tree, &at("bin/app")).unwrap(),
        tool.place(&mut tree, &at("bin/tool")).unwrap(),
    ];
    assert!(!out.exists());
    let delivered = tree.finish(placed).unwrap();
    assert_eq!(delivered.finalize(), Vec::<String>::new());
    assert_eq!(
        (place.read("dist/app/bin/app"), place.read("dist/app/bin/tool")),
        (b"patched".into(), b"tool".into())
    );
    assert_eq!(place.read("dist/app/.spokeshave-bundle"), b"bin/app\nbin/tool\n");
    let dist = place.path("dist").display().to_string();
    let after: Vec<String> = place.listing().into_iter().filter(|line| !line.starts_with(&dist)).collect();
    assert_eq!(after, before);
}
