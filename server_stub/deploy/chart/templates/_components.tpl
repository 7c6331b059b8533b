{{- /* The agent-sandbox project brings its own controller; ours has nothing to do there. */ -}}
{{- define "sandkit.components" -}}
{{- if eq .Values.workloadProvider "batchsandbox" -}}
["server", "controller"]
{{- else -}}
["server"]
{{- end -}}
{{- end -}}
