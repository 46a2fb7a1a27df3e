#!/bin/sh
# build-all.sh OUTDIR   builds Kubernetes and etcd from Go modules: one multi-call binary with its links, and pause
set -eu
mkdir -p "$1"; OUT=$(cd "$1" && pwd); cd "$(dirname "$0")"
V=$(sed -n 's/^\s*k8s.io\/kubernetes \(v[0-9.]*\).*/\1/p' go.mod | head -1)
P=k8s.io/component-base/version; MIN=${V#v1.}; MIN=${MIN%%.*}
LD="-s -w -X $P.gitVersion=$V -X $P.gitMajor=1 -X $P.gitMinor=$MIN -X $P.gitCommit=unknown -X $P.gitTreeState=clean -X $P.buildDate=1970-01-01T00:00:00Z"
s=$(date +%s)
CGO_ENABLED=0 ${NICE-nice -n 19} go build -p ${GOP:-1} -trimpath -o "$OUT/pause" ./pause
CGO_ENABLED=0 ${NICE-nice -n 19} go build -p ${GOP:-1} -trimpath -tags=providerless,notest,grpcnotrace -ldflags "$LD" -o "$OUT/k8s-all" ./k8s-all
e=$(date +%s); echo "k8s-all $((e-s)) s $(stat -c %s "$OUT/k8s-all") bytes"
for l in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl; do ln -sf k8s-all "$OUT/$l"; done
