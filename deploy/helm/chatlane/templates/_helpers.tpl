{{/* Name of all objects: 46 characters at most, so that what is hung on it fits into 63, and a StatefulSet into 52. */}}
{{- define "chatlane.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 46 | trimSuffix "-" }}
{{- else }}{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 46 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 46 | trimSuffix "-" }}{{ end }}{{ end }}
{{- end }}

{{/* Labels that select pods; they never change. Takes a dict of root and component. */}}
{{- define "chatlane.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "chatlane.labels" -}}
{{ include "chatlane.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: chatlane
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Metadata of an object: dict of root, component, name and perhaps annotations. */}}
{{- define "chatlane.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "chatlane.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "chatlane.image" -}}
{{- $tag := default (default .root.Chart.AppVersion .root.Values.image.tag) .image.tag -}}
{{- $name := ternary .image.repository (printf "%s/%s" .root.Values.image.registry .image.repository) (contains "/" .image.repository) -}}
{{- if contains "@" $name }}{{ $name }}{{ else }}{{ printf "%s:%s" $name $tag }}{{ end -}}
{{- end }}

{{- define "chatlane.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "chatlane.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{/* Secret that holds the bot's token and webhook secret. */}}
{{- define "chatlane.botSecret" -}}
{{- default (printf "%s-bot" (include "chatlane.fullname" .)) .Values.bot.existingSecret }}
{{- end }}

{{- define "chatlane.ownSecret" -}}
{{- if not (or .Values.bot.existingSecret .Values.bot.externalSecret.enabled) }}yes{{ end }}
{{- end }}

{{/* A memory quantity as GOMEMLIMIT takes it: nine tenths of the limit. */}}
{{- define "chatlane.gomemlimit" -}}
{{- $q := . | toString -}}
{{- $n := regexFind "^[0-9]+" $q | int64 -}}
{{- if hasSuffix "Gi" $q }}{{ div (mul $n 1024 9) 10 }}MiB
{{- else if hasSuffix "Mi" $q }}{{ div (mul $n 9) 10 }}MiB
{{- else if hasSuffix "Ki" $q }}{{ div (mul $n 9) 10 }}KiB
{{- else if hasSuffix "G" $q }}{{ div (mul $n 9 1000 1000 1000) 10 }}B
{{- else if hasSuffix "M" $q }}{{ div (mul $n 9 1000 1000) 10 }}B
{{- else if regexMatch "^[0-9]+$" $q }}{{ div (mul $n 9) 10 }}B{{ end -}}
{{- end }}
