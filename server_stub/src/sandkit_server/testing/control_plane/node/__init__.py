"""A node stand-in: what a kubelet, a container runtime, a registry and a provisioner of volumes show.

Pods are run as records, so that hundreds of them cost next to nothing. Files, images and volumes have
contents, and every step that can fail on a real node can be made to fail here.
"""
