#!/bin/bash
# Builds the NetEq side of run.py: neteq.sh <program>. Needs libtgowt-dev, libopus-dev, libssl-dev, pkg-config, g++.
set -e
lib=$(find /usr/lib -name libtg_owt.a 2>/dev/null | head -1)
[ -n "$lib" ] || { echo "no libtg_owt.a: apt-get install libtgowt-dev" >&2; exit 1; }
absl="-labsl_strings -labsl_bad_optional_access -labsl_throw_delegate -labsl_str_format_internal -labsl_base"
absl="$absl -labsl_raw_logging_internal -labsl_strings_internal -labsl_int128"
# -fno-rtti and these definitions are those the library itself was built with.
exec g++ -std=c++17 -O2 -fno-rtti -DWEBRTC_POSIX -DWEBRTC_LINUX -DNDEBUG -DWEBRTC_LIBRARY_IMPL -DABSL_ALLOCATOR_NOTHROW=1 \
  -I/usr/include/tg_owt "$(dirname "$0")/neteq.cc" -o "$1" "$lib" $(pkg-config --libs opus) -lcrypto -lssl -lpthread -ldl $absl -Wl,--gc-sections
