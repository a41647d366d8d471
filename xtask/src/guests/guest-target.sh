#!/usr/bin/env bash
# Builds the standard library for wasm32-wasip2, for toolchains that lack it and cannot get it
# from rustup. Called by `cargo xtask guests`; nothing but bash, apt and the toolchain is needed,
# and no root: everything happens in one folder of the user's cache.
#
#   guest-target.sh find    prints the sysroot if it was built before, else exits 3
#   guest-target.sh build   builds it if it is not there, and prints it
#
# The library's source is the toolchain's own `rust-src` component if it has that, or else
# Debian's package `rust-src` of the same release; the C library is Debian's `wasi-libc`. Both are
# fetched by apt, which verifies them, with lists and caches of its own beside the machine's.
#
# Environment, all optional:
#   CPE_GUEST_TARGET_DIR   where to keep it (default: cpe/guest-target in the user's cache)
#   CPE_DEBIAN_MIRROR      a Debian archive (default: the one that this machine's apt uses)
set -euo pipefail

TARGET=wasm32-wasip2
# Part of the result's name: to be raised when what is built below changes.
RECIPE=1
# From the nearest to the newest. Each is asked only if those before it did not have everything.
SUITES=(stable-backports testing unstable experimental)
# Older ones lack the stubs of threads that std links against.
LIBC_VERSIONS='git20(2[6-9]|[3-9][0-9])'

note() { echo "guests: $*" >&2; }
fail() { note "error: $*"; exit 1; }

rustc=${RUSTC:-rustc}
about=$("$rustc" -vV) || fail "cannot run $rustc"
fact() { sed -n "s/^$1: //p" <<<"$about"; }
release=$(fact release)
commit=$(fact commit-hash)
host=$(fact host)
toolchain=$("$rustc" --print sysroot)

cache=${CPE_GUEST_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/cpe/guest-target}
name=$release-${commit:0:9}-$RECIPE
built=$cache/$name
sysroot=$built/sysroot

# The linkers of the toolchain must be where rustc looks for them. Whatever the toolchain's folder
# was when the sysroot was built, this is where it is now.
link_host_tools() { ln -sfn "$toolchain/lib/rustlib/$host" "$1/lib/rustlib/$host"; }

print_if_built() {
  [ -f "$built/complete" ] || return 0
  [ "$(readlink "$sysroot/lib/rustlib/$host")" = "$toolchain/lib/rustlib/$host" ] ||
    link_host_tools "$sysroot"
  echo "$sysroot"
  exit 0
}

print_if_built
case ${1:-} in
  find) exit 3 ;;
  build) ;;
  *) fail "usage: guest-target.sh find|build" ;;
esac

for tool in apt-get apt-cache dpkg-deb flock; do
  command -v "$tool" >/dev/null ||
    fail "building $TARGET needs Debian's tools, and there is no $tool here;" \
      "add the target to the toolchain, such as with \`rustup target add $TARGET\`"
done
[ -x "$toolchain/lib/rustlib/$host/bin/wasm-component-ld" ] ||
  fail "the toolchain in $toolchain has no wasm-component-ld, which links components"

# One builder at a time; the others find its result.
mkdir -p "$cache"
exec 9>"$cache/lock"
flock -n 9 || { note "waiting for another build of $TARGET"; flock 9; }
print_if_built

work=$cache/work
rm -rf "$work" "$built"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

# ---- apt, with lists and caches of its own

mirror=${CPE_DEBIAN_MIRROR:-$(apt-get update --print-uris 2>/dev/null |
  sed -n "s|^'\([^']*/debian\)/*/dists/.*|\1|p" | sed -n 1p)}
apt=$work/apt

apt_begin() {
  [ -n "$mirror" ] ||
    fail "this machine's apt knows no Debian archive: name one in CPE_DEBIAN_MIRROR"
  mkdir -p "$apt/lists/partial" "$apt/archives/partial"
  : >"$apt/status"
  : >"$apt/sources.list"
  # Last of all configuration, so that the machine's own (its proxies) holds otherwise.
  cat >"$apt/conf" <<CONF
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
#clear Acquire::IndexTargets;
Acquire::IndexTargets::deb::Packages::MetaKey "\$(COMPONENT)/binary-\$(ARCHITECTURE)/Packages";
Acquire::IndexTargets::deb::Packages::flatMetaKey "Packages";
Acquire::IndexTargets::deb::Packages::ShortDescription "Packages";
Acquire::IndexTargets::deb::Packages::Description "\$(RELEASE)/\$(COMPONENT) \$(ARCHITECTURE) Packages";
Acquire::IndexTargets::deb::Packages::Optional "no";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Sandbox::User "";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$apt/lists";
Dir::State::Status "$apt/status";
Dir::Cache "$apt";
Dir::Cache::Archives "$apt/archives";
CONF
}

# Succeeds with the version if a suite that was asked has such a one of package $1.
version_of() {
  apt-cache -c "$apt/conf" madison "$1" 2>/dev/null |
    awk -F ' *[|] *' -v wanted="$2" '$2 ~ wanted { print $2; found = 1; exit } END { exit !found }'
}

# Fetches the newest package $1 whose version matches $2, and unpacks it into $3.
apt_fetch() {
  local version suite
  while ! version=$(version_of "$1" "$2"); do
    suite=${SUITES[0]:-}
    [ -n "$suite" ] || fail "no $1 matching /$2/ in Debian's archive"
    SUITES=("${SUITES[@]:1}")
    note "asking Debian $suite for $1"
    echo "deb $mirror $suite main" >>"$apt/sources.list"
    # A suite that cannot be had is one that does not have it; apt only warns of that.
    apt-get -q -c "$apt/conf" update >"$work/log" 2>&1 || true
    sed -n '/^E: \|^W: Failed/{s/^/guests: apt: /p;q}' "$work/log" >&2
  done
  note "fetching $1 $version"
  (cd "$work" && apt-get -q -c "$apt/conf" download "$1=$version" >"$work/log" 2>&1) ||
    { tail -n 5 "$work/log" >&2; fail "cannot fetch $1 $version"; }
  dpkg-deb -x "$work/$1"_*.deb "$3"
  rm "$work/$1"_*.deb
}

# ---- the sources

apt_begin
if [ -f "$toolchain/lib/rustlib/src/rust/library/sysroot/Cargo.toml" ]; then
  note "taking the library's source from the toolchain"
  cp -R "$toolchain/lib/rustlib/src/rust/library" "$work/library"
else
  apt_fetch rust-src "^${release//./\\.}[+]" "$work/rust-src"
  mv "$work/rust-src/usr/src/rustc-$release/library" "$work/library"
  rm -rf "$work/rust-src"
fi
apt_fetch wasi-libc "$LIBC_VERSIONS" "$work/wasi-libc"
libc=$work/wasi-libc/usr/lib/$TARGET
[ -f "$work/library/sysroot/Cargo.toml" ] || fail "the library's source is not laid out as expected"
[ -f "$libc/libc.a" ] || fail "wasi-libc is not laid out as expected"

# ---- the standard library

# As the compiler's own build makes it: the package `sysroot`, with std's own lock file and its
# profile `dist` (which older releases lack). The environment variable that unlocks unstable flags
# counts for this build alone.
note "building std $release for $TARGET, about a minute"
profile=dist
flags=(-Zforce-unstable-if-unmarked "--remap-path-prefix=$work/library=/rustc/$commit/library")
if ! grep -q '^\[profile\.dist\]' "$work/library/Cargo.toml"; then
  profile=release
  flags+=(-Cembed-bitcode=yes)
fi
separator=$'\x1f'
encoded=$(IFS=$separator; echo "${flags[*]}")
# Debian's copy of the crates that std needs is not whole; cargo has others.
rm -rf "$work/library/vendor" "$work/library/.cargo"
(
  cd "$work/library"
  for variable in $(compgen -e); do
    case $variable in
      CARGO_HOME | CARGO_HTTP_* | CARGO_NET_* | CARGO_REGISTR* | CARGO_TERM_*) ;;
      CARGO_* | RUSTFLAGS | RUSTC_*WRAPPER) unset "$variable" ;;
    esac
  done
  RUSTC=$rustc RUSTC_BOOTSTRAP=1 CARGO_ENCODED_RUSTFLAGS=$encoded CARGO_INCREMENTAL=0 \
    CARGO_TARGET_DIR=$work/target __CARGO_DEFAULT_LIB_METADATA=cpe-guest \
    "${CARGO:-cargo}" build --manifest-path sysroot/Cargo.toml -p sysroot --target "$TARGET" \
    --profile "$profile" --no-default-features --features panic-unwind,backtrace
) >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; fail "std did not build"; }

libraries=$work/built/sysroot/lib/rustlib/$TARGET/lib
mkdir -p "$libraries/self-contained"
cp "$work/target/$TARGET/$profile/deps/"*.rlib "$libraries/"
cp "$libc/crt1-command.o" "$libc/crt1-reactor.o" "$libc/libc.a" "$libraries/self-contained/"
link_host_tools "$work/built/sysroot"

# ---- a program that uses it must become a component

cat >"$work/proof.rs" <<'RUST'
fn main() {
    let thread = std::thread::Builder::new().spawn(|| 1).is_ok();
    let map = std::collections::HashMap::from([(thread, std::fs::exists("/").is_ok())]);
    println!("{map:?} {:?}", std::time::Instant::now());
}
RUST
"$rustc" --edition 2021 -O --sysroot "$work/built/sysroot" --target "$TARGET" \
  -o "$work/proof.wasm" "$work/proof.rs" >&2 || fail "what was built does not link"
[ "$(od -An -tx1 -N8 "$work/proof.wasm" | tr -d ' \n')" = 0061736d0d000100 ] ||
  fail "what was built makes no components"

touch "$work/built/complete"
mv "$work/built" "$built"
note "built $TARGET in $sysroot"
print_if_built
