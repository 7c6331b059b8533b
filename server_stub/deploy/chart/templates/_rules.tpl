{{- define "sandkit.serverRules" -}}
{{- if eq .Values.workloadProvider "batchsandbox" -}}
- apiGroups: [sandbox.opensandbox.io]
  resources: [batchsandboxes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [sandbox.opensandbox.io]
  resources: [sandboxsnapshots]
  verbs: [get, list, watch, create, delete]
- apiGroups: [sandbox.opensandbox.io]
  resources: [pools]
  verbs: [get, list, watch, create, patch, delete]
{{- else -}}
- apiGroups: [agents.x-k8s.io]
  resources: [sandboxes]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, create, patch, delete]
# Addresses of sandboxes, their logs, and what happened to them.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [list]
# Pull credentials of one create request; never read back, deleted with their sandbox by the garbage collector.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
{{- end -}}

{{- define "sandkit.controllerRules" -}}
- apiGroups: [sandbox.opensandbox.io]
  resources: [batchsandboxes]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [sandbox.opensandbox.io]
  resources: [sandboxsnapshots]
  verbs: [get, list, watch, create, delete]
- apiGroups: [sandbox.opensandbox.io]
  resources: [pools]
  verbs: [get, list, watch]
- apiGroups: [sandbox.opensandbox.io]
  resources: [batchsandboxes/status, sandboxsnapshots/status, pools/status]
  verbs: [patch]
{{- if .Values.rbac.ownerReferencesPermissionEnforcement }}
- apiGroups: [sandbox.opensandbox.io]
  resources: [batchsandboxes/finalizers, sandboxsnapshots/finalizers, pools/finalizers]
  verbs: [update]
{{- end }}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
{{- with .Values.pause.pushSecret }}
# That it exists and has the right type is checked before anything is paused.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ . | quote }}]
  verbs: [get]
{{- end }}
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, patch]
{{- end -}}
