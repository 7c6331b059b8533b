#!/bin/sh
# Build the programs of the control-plane test tier from Go modules, once, into a cache: etcd, kube-apiserver,
# kube-controller-manager, kube-scheduler, kubectl and helm. Versions and hashes are in the go.mod and
# go.sum beside this file. Prints the folder that holds them. About twelve minutes on two cores the first time, nothing after.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${SANDKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sandkit}/control-plane
bin=$cache/bin
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS='-buildvcs=false -trimpath -mod=readonly'

command -v go >/dev/null || { echo "The control-plane tier is built from Go modules and needs Go 1.24 or newer (https://go.dev/dl)." >&2; exit 1; }

# Each program carries the hash of what it was built from and how; one that differs is built again.
build() { # name module-folder package linker-flags
  stamp=$bin/.$1.$({ (cd "$here/$2" && cat ./go.mod ./go.sum ./*.go 2>/dev/null || :); echo "$3 $4"; } | sha256sum | cut -c1-16)
  [ -x "$bin/$1" ] && [ -e "$stamp" ] && return 0
  echo "building $1" >&2
  mkdir -p "$bin"
  (cd "$here/$2" && go build -ldflags "-s -w $4" -o "$bin/$1.new" "$3")
  mv "$bin/$1.new" "$bin/$1"
  rm -f "$bin/.$1."*
  : >"$stamp"
}

# client-go and the API server tell their version to each other; without these flags it would be v0.0.0.
version=$(sed -n 's|^\t*k8s.io/kubernetes \(v[0-9.]*\)$|\1|p' "$here/kube/go.mod" | head -n 1)
minor=$(echo "$version" | cut -d. -f2)
flags=
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  flags="$flags -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor -X $package.gitTreeState=clean"
done

build etcd etcd go.etcd.io/etcd/server/v3 ''
build kube kube . "$flags"
for name in kube-apiserver kube-controller-manager kube-scheduler kubectl; do ln -sf kube "$bin/$name"; done
# Without them helm renders for Kubernetes 1.20.
build helm helm helm.sh/helm/v3/cmd/helm "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=$minor"
echo "$bin"
