#!/usr/bin/env bash
# Builds the example wheels and the libraries that they need, for glibc 2.17 on x86_64 and aarch64 and for macOS 11 on
# arm64, on any Linux host:
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

link() { # output, arguments
    "$python" -m ziglang cc -target aarch64-macos.11.0 -shared -O2 -s -Wall -Wextra -Isrc \
        -Wl,-headerpad_max_install_names -o "$@"
}
lib=lib/macos
rm -rf "$lib" && mkdir -p "$lib"
link "$lib/libtext.2.dylib" src/text.c -Wl,-install_name,/opt/demo/lib/libtext.2.dylib
link "$lib/libgreet.1.dylib" src/greet.c -Wl,-install_name,@rpath/libgreet.1.dylib "$lib/libtext.2.dylib"
module=$(mktemp -d)/_greeting.abi3.so
# pyconfig.h is for Linux; the stable ABI needs nothing of it that differs.
link "$module" src/greeting.c -isystem "$include" -isystem "$headers" -Wl,-undefined,dynamic_lookup \
    -Wl,-rpath,/opt/demo/lib "$lib/libgreet.1.dylib"
"$python" src/pack.py demo-1.0-cp39-abi3-macosx_11_0_arm64.whl \
    demo/__init__.py=src/demo/__init__.py demo/_greeting.abi3.so="$module"
rm -r "$(dirname "$module")"

sha256sum ./*.whl lib/*/*
rm -r "$headers"
