//! Published packages, built from their sdists against Debian's libraries (`tests/tools/build-wheels`): repaired,
//! installed into an empty environment and used, with nothing mapped from outside that the policy does not list.
//!
//! The three that take minutes to build are `ignored`; `tests/run --long` runs them.

use std::path::Path;

use spokeshave_testkit::{Bench, Dynamic, MAPS, Venv, Wheel};

/// What manylinux promises (PEP 513 and 571), in so far as Debian has it.
const PROMISED: &[&str] = &[
    "ld-linux-x86-64.so.2",
    "libanl.so.1",
    "libatomic.so.1",
    "libc.so.6",
    "libdl.so.2",
    "libexpat.so.1",
    "libgcc_s.so.1",
    "libGL.so.1",
    "libglib-2.0.so.0",
    "libgobject-2.0.so.0",
    "libgthread-2.0.so.0",
    "libICE.so.6",
    "libm.so.6",
    "libmvec.so.1",
    "libnsl.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libSM.so.6",
    "libstdc++.so.6",
    "libutil.so.1",
    "libX11.so.6",
    "libXext.so.6",
    "libXrender.so.1",
    "libz.so.1",
];

/// Repairs, installs and uses a package; `using` is a Python program that asserts what it needs.
#[track_caller]
fn works(dist: &str, also: &[&str], using: &str) {
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let wheel = bench.repair(&[], &Wheel::built(dist));
    assert!(wheel.platforms().iter().all(|tag| tag.starts_with("manylinux_2_")), "{}", wheel.name());
    assert!(wheel.names().iter().any(|name| name.starts_with(&format!("{dist}.libs/"))));

    let venv = Venv::new();
    venv.install(&wheel.path);
    for requirement in also {
        venv.install(requirement);
    }
    // What CPython's own modules map is no finding; import those that the packages use beforehand.
    let program = format!(
        "{MAPS}
import os
os.environ['SASL_PATH'] = '/nonexistent'
import ctypes, datetime, decimal, hashlib, json, lzma, bz2, random, socket, ssl, uuid, zlib
before = set(outside())
{using}
for path in outside():
    if path not in before and '.so' in path: print(path)
"
    );
    for path in venv.run(&program).lines() {
        let soname = Dynamic::of(Path::new(path)).soname.unwrap_or_default();
        assert!(PROMISED.contains(&soname.as_str()), "{dist}: {path} ({soname}) is mapped from outside");
    }
}

#[test]
fn pycurl() {
    works("pycurl", &[], "import pycurl\nassert 'libcurl/' in pycurl.version\npycurl.Curl().close()");
}

#[test]
fn psycopg2() {
    works(
        "psycopg2",
        &[],
        "
import psycopg2, psycopg2.extensions
assert psycopg2.__libpq_version__ >= 150000
assert psycopg2.extensions.libpq_version() >= 150000
try: psycopg2.connect('host=127.0.0.1 port=1 connect_timeout=2')
except psycopg2.OperationalError as error: assert 'refused' in str(error), error",
    );
}

#[test]
#[ignore = "takes minutes to build"]
fn lxml() {
    works(
        "lxml",
        &[],
        "
from lxml import etree
sheet = etree.XML('''<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'>
<xsl:template match='/a'><out><xsl:value-of select='b'/></out></xsl:template></xsl:stylesheet>''')
assert str(etree.XSLT(sheet)(etree.XML('<a><b>spoke</b></a>'))).endswith('<out>spoke</out>\\n')
assert etree.HTML('<p>x').xpath('string(//p)') == 'x'",
    );
}

#[test]
#[ignore = "takes minutes to build"]
fn h5py() {
    works(
        "h5py",
        &["numpy==2.4.6"],
        "
import h5py, numpy, tempfile
with tempfile.TemporaryDirectory() as dir:
    with h5py.File(dir + '/x.h5', 'w') as file:
        file.create_dataset('d', data=numpy.arange(1000), compression='gzip')
    with h5py.File(dir + '/x.h5') as file:
        assert file['d'][-1] == 999 and len(file['d']) == 1000",
    );
}

#[test]
#[ignore = "takes minutes to build"]
fn gdal() {
    works(
        "GDAL",
        &[],
        "
import tempfile
from osgeo import gdal, ogr, osr
gdal.UseExceptions()
with tempfile.TemporaryDirectory() as dir:
    raster = gdal.GetDriverByName('GTiff').Create(dir + '/x.tif', 64, 32, 1, gdal.GDT_Byte, ['COMPRESS=DEFLATE'])
    raster.GetRasterBand(1).Fill(7)
    raster = None
    raster = gdal.Open(dir + '/x.tif')
    assert (raster.RasterXSize, raster.RasterYSize) == (64, 32)
    assert raster.GetRasterBand(1).ReadRaster(0, 0, 1, 1) == b'\\x07'
assert ogr.CreateGeometryFromWkt('POINT (1 2)').Buffer(1).Area() > 3",
    );
}
