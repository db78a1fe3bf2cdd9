{{/* Environment of all programs, as a YAML map by name, so that a value given twice is one. */}}
{{- define "chatlane.commonEnv" -}}
CHATLANE_ADMIN_LISTEN: ":9090"
CHATLANE_PARTITIONS: {{ .Values.partitions | quote }}
CHATLANE_STREAM_REPLICAS: {{ .Values.streamReplicas | quote }}
{{- with .Values.namespace }}
CHATLANE_NAMESPACE: {{ . | quote }}
{{- end }}
{{- with .Values.botApiUrl }}
CHATLANE_BOT_API_URL: {{ . | quote }}
{{- end }}
{{- if or .Values.bot.file .Values.bot.fileKey }}
CHATLANE_BOTS_FILE: /etc/chatlane/bots/bots.yaml
{{- else }}
CHATLANE_BOT_TOKEN: {valueFrom: {secretKeyRef: {name: {{ include "chatlane.botSecret" . | quote }}, key: {{ .Values.bot.tokenKey | quote }}}}}
CHATLANE_WEBHOOK_SECRET: {valueFrom: {secretKeyRef: {name: {{ include "chatlane.botSecret" . | quote }}, key: {{ .Values.bot.webhookSecretKey | quote }}, optional: {{ include "chatlane.polls" . | eq "yes" }}}}}
{{- end }}
{{- if .Values.nats.existingSecret }}
CHATLANE_NATS_URL: {valueFrom: {secretKeyRef: {name: {{ .Values.nats.existingSecret | quote }}, key: {{ .Values.nats.urlKey | quote }}}}}
{{- else }}
CHATLANE_NATS_URL: {{ default (printf "nats://%s-nats:4222" (include "chatlane.fullname" .)) .Values.nats.url | quote }}
{{- end }}
{{- if .Values.nats.credentialsSecret }}
CHATLANE_NATS_CREDS: /etc/chatlane/nats-creds/user.creds
{{- end }}
{{- if .Values.nats.tlsSecret }}
CHATLANE_NATS_CA_FILE: /etc/chatlane/nats-tls/ca.crt
{{- if .Values.nats.clientCertificate }}
CHATLANE_NATS_CERT_FILE: /etc/chatlane/nats-tls/tls.crt
CHATLANE_NATS_KEY_FILE: /etc/chatlane/nats-tls/tls.key
{{- end }}
{{- end }}
{{- with .Values.tracing.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
OTEL_TRACES_SAMPLER: parentbased_traceidratio
OTEL_TRACES_SAMPLER_ARG: {{ $.Values.tracing.ratio | quote }}
{{- end }}
{{- end }}

{{/* "yes" where ingress polls, and no webhook has a secret. */}}
{{- define "chatlane.polls" -}}
{{- $env := merge (dict) .Values.ingress.env .Values.env -}}
{{- if has (get $env "CHATLANE_POLLING" | toString) (list "true" "1") }}yes{{ else }}no{{ end }}
{{- end }}

{{- define "chatlane.ingressEnv" -}}
CHATLANE_LISTEN: ":8080"
{{- if .Values.webhook.register }}
CHATLANE_WEBHOOK_URL: {{ .Values.webhook.url | quote }}
{{- end }}
{{- with .Values.webhook.allowedUpdates }}
CHATLANE_ALLOWED_UPDATES: {{ join "," . | quote }}
{{- end }}
{{- end }}

{{- define "chatlane.workerEnv" -}}
CHATLANE_STORE: {{ .Values.store }}
{{- if eq .Values.store "redis" }}
{{- if .Values.redis.existingSecret }}
CHATLANE_REDIS_URL: {valueFrom: {secretKeyRef: {name: {{ .Values.redis.existingSecret | quote }}, key: {{ .Values.redis.urlKey | quote }}}}}
{{- else }}
CHATLANE_REDIS_URL: {{ default (printf "redis://%s-redis:6379/0" (include "chatlane.fullname" .)) .Values.redis.url | quote }}
{{- end }}
{{- end }}
CHATLANE_WORKER_NAME: {valueFrom: {fieldRef: {fieldPath: metadata.name}}}
{{- end }}

{{/* List of environment variables of a component: dict of root, component, values. The author's values win. */}}
{{- define "chatlane.env" -}}
{{- $env := include "chatlane.commonEnv" .root | fromYaml -}}
{{- if eq .component "ingress" }}{{ $env = mergeOverwrite $env (include "chatlane.ingressEnv" .root | fromYaml) }}{{ end -}}
{{- if eq .component "worker" }}{{ $env = mergeOverwrite $env (include "chatlane.workerEnv" .root | fromYaml) }}{{ end -}}
{{- with dig "limits" "memory" "" (.values.resources | default dict) }}{{ $_ := set $env "GOMEMLIMIT" (include "chatlane.gomemlimit" .) }}{{ end -}}
{{- range $name, $v := merge (dict) (.values.env | default dict) .root.Values.env }}{{ $_ := set $env $name $v }}{{ end -}}
{{- range $name, $v := $env }}
{{- if not (kindIs "invalid" $v) }}
- name: {{ $name }}
{{- if kindIs "map" $v }}
{{ toYaml $v | indent 2 }}
{{- else }}
  value: {{ $v | toString | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Volumes that settings point to: dict of root. */}}
{{- define "chatlane.volumes" -}}
{{- if or .root.Values.bot.file .root.Values.bot.fileKey }}
- name: bots
  secret:
    secretName: {{ include "chatlane.botSecret" .root | quote }}
    items: [{key: {{ default "bots.yaml" .root.Values.bot.fileKey | quote }}, path: bots.yaml}]
{{- end }}
{{- with .root.Values.nats.credentialsSecret }}
- name: nats-creds
  secret: {secretName: {{ . | quote }}, items: [{key: {{ $.root.Values.nats.credentialsKey | quote }}, path: user.creds}]}
{{- end }}
{{- with .root.Values.nats.tlsSecret }}
- name: nats-tls
  secret: {secretName: {{ . | quote }}}
{{- end }}
{{- with .values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "chatlane.volumeMounts" -}}
{{- if or .root.Values.bot.file .root.Values.bot.fileKey }}
- {name: bots, mountPath: /etc/chatlane/bots, readOnly: true}
{{- end }}
{{- if .root.Values.nats.credentialsSecret }}
- {name: nats-creds, mountPath: /etc/chatlane/nats-creds, readOnly: true}
{{- end }}
{{- if .root.Values.nats.tlsSecret }}
- {name: nats-tls, mountPath: /etc/chatlane/nats-tls, readOnly: true}
{{- end }}
{{- with .values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}
