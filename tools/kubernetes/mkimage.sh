#!/bin/sh
# mkimage.sh ROOTFS_DIR NAME:TAG ENTRYPOINT_JSON OUT.tar   makes a docker-archive for `ctr images import`
set -eu
R=$1 N=$2 E=$3 O=$4
T=$(mktemp -d "$(dirname "$O")/img.XXXXXX")
tar --numeric-owner --owner=0 --group=0 --sort=name --mtime=@0 -C "$R" -cf "$T/layer.tar" .
D=$(sha256sum "$T/layer.tar" | cut -d' ' -f1)
printf '{"architecture":"amd64","os":"linux","created":"1970-01-01T00:00:00Z","config":{"Env":["PATH=/bin:/usr/bin"],"Cmd":%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"1970-01-01T00:00:00Z"}]}' "$E" "$D" > "$T/config.json"
printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$N" > "$T/manifest.json"
tar -C "$T" -cf "$O" manifest.json config.json layer.tar
rm -rf "$T"
