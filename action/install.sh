#!/usr/bin/env bash
# Puts byob on PATH: a binary that is there already, or a release whose SHA-256 stands in checksums.txt beside this file.
# That file belongs to the commit at which the action is used, so a release that was replaced later is refused before
# anything of it is unpacked or run.
set -euo pipefail
here=${BASH_SOURCE[0]%/*}
: "${RUNNER_TEMP:?}" "${GITHUB_PATH:?}"

die() {
  printf '::error title=byob::%s\n' "$1"
  exit 1
}

for tool in curl jq tar sha256sum; do
  command -v "$tool" >/dev/null || die "the action needs $tool on the runner"
done
folder=$(mktemp -d "$RUNNER_TEMP/byob-bin-XXXXXXXX")

if [ -n "$BYOB_PATH" ]; then
  [[ -f $BYOB_PATH && -x $BYOB_PATH ]] || die "byob-path names no file that can be run"
  ln -s "$(realpath -- "$BYOB_PATH")" "$folder/byob"
  printf '%s\n' "$folder" >>"$GITHUB_PATH"
  exit 0
fi

case $(uname -s)-$(uname -m) in
  Linux-x86_64) target=x86_64-unknown-linux-gnu ;;
  Linux-aarch64) target=aarch64-unknown-linux-gnu ;;
  *) die "no release is built for $(uname -s) on $(uname -m); build byob and name it in byob-path" ;;
esac

# Without `version`: the last release that this commit of the action knows.
version=${BYOB_VERSION#v}
[ -n "$version" ] || version=$(sed -nE "s/^[0-9a-f]{64}  byob-v([0-9.]+)-$target\.tar\.gz\$/\1/p" "$here/checksums.txt" | tail -n 1)
[ -n "$version" ] || die "this commit of the action knows no release; use a later commit, or byob-path"
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "version is three numbers, as in 0.1.0"
archive=byob-v$version-$target.tar.gz

sum=$BYOB_SHA256
[ -n "$sum" ] || sum=$(awk -v name="$archive" '$2 == name { print $1 }' "$here/checksums.txt")
[ -n "$sum" ] || die "this commit of the action does not know $archive; use a commit that does, or give its sha256"
[[ $sum =~ ^[0-9a-f]{64}$ ]] || die "sha256 is 64 hex digits in lower case"

releases=$BYOB_RELEASES
[ -n "$releases" ] ||
  releases=${GITHUB_SERVER_URL:-https://github.com}/${BYOB_REPOSITORY:-${GITHUB_REPOSITORY:?}}/releases/download
curl --silent --show-error --fail --location --proto '=https,http' --retry 3 --retry-connrefused --max-time 300 \
  --output "$folder/$archive" -- "$releases/v$version/$archive" ||
  die "$archive cannot be downloaded from $releases/v$version"
got=$(sha256sum -- "$folder/$archive")
got=${got%% *}
[ "$got" = "$sum" ] ||
  die "$archive is not what was released: its SHA-256 is $got, and must be $sum; nothing of it was run"
tar -xzf "$folder/$archive" -C "$folder" byob
rm "$folder/$archive"
printf '%s\n' "$folder" >>"$GITHUB_PATH"
