#!/usr/bin/env bash
# Builds the example wheels and the libraries that they need, for glibc 2.17 on x86_64 and aarch64, on any Linux host:
#
#   python3 -m venv /tmp/zig && /tmp/zig/bin/pip install ziglang==0.17.1
#   PYTHON=/tmp/zig/bin/python examples/build.sh
#
# The same tools give the same bytes.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
# Debian's pyconfig.h includes one from a directory of the target's name; the host's serves for the stable ABI.
headers=$(mktemp -d)
for arch in x86_64 aarch64; do
    ln -s "/usr/include/$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("MULTIARCH"))')" "$headers/$arch-linux-gnu"
done

for arch in x86_64 aarch64; do
    link() { # output, arguments
        "$python" -m ziglang cc -target $arch-linux-gnu.2.17 -shared -fPIC -O2 -s -Wall -Wextra -Isrc -o "$@"
    }
    lib=lib/$arch
    rm -rf "$lib" && mkdir -p "$lib"
    link "$lib/libtext.so.2" src/text.c -Wl,-soname,libtext.so.2
    link "$lib/libgreet.so.1" src/greet.c -Wl,-soname,libgreet.so.1 "$lib/libtext.so.2"
    module=$(mktemp -d)/_greeting.abi3.so
    link "$module" src/greeting.c -isystem "$include" -isystem "$headers" "$lib/libgreet.so.1"
    "$python" src/pack.py demo-1.0-cp39-abi3-linux_$arch.whl \
        demo/__init__.py=src/demo/__init__.py demo/_greeting.abi3.so="$module"
    rm -r "$(dirname "$module")"
done
sha256sum ./*.whl lib/*/*
rm -r "$headers"
