{{/* Pod template of ingress or worker: dict of root, component, values, ports. */}}
{{- define "chatlane.pod" -}}
metadata:
  labels: {{- include "chatlane.labels" . | nindent 4 }}
  {{- with .values.podLabels }}
    {{- toYaml . | nindent 4 }}
  {{- end }}
  annotations:
    checksum/config: {{ printf "%s%s" (include "chatlane.env" .) (include "chatlane.secretData" .root) | sha256sum }}
  {{- with merge (dict) .values.podAnnotations .root.Values.annotations }}
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "chatlane.serviceAccount" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
  securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets: {{- range . }}
    - name: {{ . | quote }}
  {{- end }}
  {{- end }}
  {{- with .values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- with .values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
  {{- if .values.topologySpreadConstraints }}
    {{- toYaml .values.topologySpreadConstraints | nindent 4 }}
  {{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "chatlane.selector" $ | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
  {{- end }}
  {{- end }}
  {{- with .values.initContainers }}
  initContainers: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "chatlane.image" (dict "root" .root "image" .values.image) | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      env: {{- include "chatlane.env" . | nindent 8 }}
      ports: {{- toYaml .ports | nindent 8 }}
      {{- /* Alive asks nothing of NATS or Redis: a broken server must not restart what waits for it. */}}
      startupProbe: {httpGet: {path: /healthz, port: admin}, periodSeconds: 1, failureThreshold: 60}
      livenessProbe: {httpGet: {path: /healthz, port: admin}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
      readinessProbe: {httpGet: {path: /readyz, port: admin}, periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 2}
      {{- with .values.preStopSeconds }}
      lifecycle: {preStop: {sleep: {seconds: {{ . }}}}}
      {{- end }}
      {{- with .values.resources }}
      resources: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with include "chatlane.volumeMounts" . | trim }}
      volumeMounts: {{- . | nindent 8 }}
      {{- end }}
  {{- with .values.extraContainers }}
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "chatlane.volumes" . | trim }}
  volumes: {{- . | nindent 4 }}
  {{- end }}
{{- end }}
