{{/* What values cannot be together, each with the value to set. */}}
{{- define "chatlane.validate" -}}
{{- $v := .Values -}}
{{- $wrong := list -}}
{{- $sources := 0 -}}
{{- if or $v.bot.token $v.bot.file }}{{ $sources = add1 $sources }}{{ end -}}
{{- if $v.bot.existingSecret }}{{ $sources = add1 $sources }}{{ end -}}
{{- if $v.bot.externalSecret.enabled }}{{ $sources = add1 $sources }}{{ end -}}
{{- if eq $sources 0 }}{{ $wrong = append $wrong "bot.token: no bot is set; set bot.existingSecret to a Secret with the keys token and webhook-secret, or bot.token and bot.webhookSecret" }}{{ end -}}
{{- if gt $sources 1 }}{{ $wrong = append $wrong "bot: the bot is set more than once; keep one of bot.token (or bot.file), bot.existingSecret and bot.externalSecret.enabled" }}{{ end -}}
{{- if and $v.bot.token $v.bot.file }}{{ $wrong = append $wrong "bot.file: several bots and one bot; empty bot.token or bot.file" }}{{ end -}}
{{- if and $v.bot.token (not (regexMatch "^[0-9]{1,20}:[A-Za-z0-9_-]{30,}$" $v.bot.token)) }}{{ $wrong = append $wrong "bot.token: this is no bot token; set it as BotFather gave it, such as 123456789:AAE..." }}{{ end -}}
{{- if and $v.bot.token (not $v.bot.webhookSecret) (ne (include "chatlane.polls" .) "yes") }}{{ $wrong = append $wrong "bot.webhookSecret: set 1 to 256 letters, digits, _ or -; without it anyone could speak for Telegram" }}{{ end -}}
{{- if and $v.bot.webhookSecret (not (regexMatch "^[A-Za-z0-9_-]{1,256}(,[A-Za-z0-9_-]{1,256})*$" $v.bot.webhookSecret)) }}{{ $wrong = append $wrong "bot.webhookSecret: set 1 to 256 letters, digits, _ or -" }}{{ end -}}
{{- if and $v.bot.fileKey (not $v.bot.existingSecret) }}{{ $wrong = append $wrong "bot.fileKey: it names a key of bot.existingSecret; set that, or put the list into bot.file" }}{{ end -}}
{{- if $v.bot.externalSecret.enabled -}}
{{- if not $v.bot.externalSecret.storeName }}{{ $wrong = append $wrong "bot.externalSecret.storeName: set the name of the SecretStore" }}{{ end -}}
{{- if not (dig "key" "" $v.bot.externalSecret.token) }}{{ $wrong = append $wrong "bot.externalSecret.token.key: set the token's key in the store" }}{{ end -}}
{{- if and (not (dig "key" "" $v.bot.externalSecret.webhookSecret)) (ne (include "chatlane.polls" .) "yes") }}{{ $wrong = append $wrong "bot.externalSecret.webhookSecret.key: set the webhook secret's key in the store" }}{{ end -}}
{{- end -}}
{{- if and (not $v.quickstart.enabled) (not $v.nats.url) (not $v.nats.existingSecret) }}{{ $wrong = append $wrong "nats.url: set the address of your NATS servers, such as nats://nats.nats:4222; for a first try set quickstart.enabled=true" }}{{ end -}}
{{- if and $v.nats.url $v.nats.existingSecret }}{{ $wrong = append $wrong "nats.existingSecret: the address is set twice; empty nats.url or nats.existingSecret" }}{{ end -}}
{{- if and $v.nats.clientCertificate (not $v.nats.tlsSecret) }}{{ $wrong = append $wrong "nats.tlsSecret: set the Secret that holds ca.crt, tls.crt and tls.key, or nats.clientCertificate=false" }}{{ end -}}
{{- if and (eq $v.store "redis") (not $v.quickstart.enabled) (not $v.redis.url) (not $v.redis.existingSecret) }}{{ $wrong = append $wrong "redis.url: set the address of your Redis, such as redis://redis.redis:6379/0, or store=nats; for a first try set quickstart.enabled=true" }}{{ end -}}
{{- if and $v.redis.url $v.redis.existingSecret }}{{ $wrong = append $wrong "redis.existingSecret: the address is set twice; empty redis.url or redis.existingSecret" }}{{ end -}}
{{- if and $v.quickstart.enabled (gt (int $v.streamReplicas) 1) }}{{ $wrong = append $wrong "streamReplicas: the quickstart's NATS is one server; set streamReplicas=1, or nats.url to a cluster and quickstart.enabled=false" }}{{ end -}}
{{- if and $v.webhook.register (not $v.webhook.url) }}{{ $wrong = append $wrong "webhook.url: set the public address of ingress, such as https://bot.example.com" }}{{ end -}}
{{- if and $v.webhook.register (eq (include "chatlane.polls" .) "yes") }}{{ $wrong = append $wrong "webhook.register: CHATLANE_POLLING is on, and Telegram does one or the other; set webhook.register=false" }}{{ end -}}
{{- if and $v.ingress.httpRoute.enabled (not $v.ingress.httpRoute.parentRefs) }}{{ $wrong = append $wrong "ingress.httpRoute.parentRefs: name the Gateway, such as [{name: public, namespace: gateways}]" }}{{ end -}}
{{- if and $v.ingress.ingress.enabled (not $v.ingress.ingress.hosts) }}{{ $wrong = append $wrong "ingress.ingress.hosts: set the host names, such as [bot.example.com]" }}{{ end -}}
{{- if gt (int $v.worker.autoscaling.maxReplicas) (int $v.partitions) }}{{ $wrong = append $wrong (printf "worker.autoscaling.maxReplicas: more workers than partitions are idle; set at most %d" (int $v.partitions)) }}{{ end -}}
{{- if and $v.networkPolicy.enabled (not $v.networkPolicy.adminFrom) -}}
{{- if eq $v.worker.autoscaling.type "keda" }}{{ $wrong = append $wrong "networkPolicy.adminFrom: KEDA asks ingress from its own namespace; set [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: keda}}}], or networkPolicy.enabled=false" }}{{ end -}}
{{- if $v.monitoring.monitors }}{{ $wrong = append $wrong "networkPolicy.adminFrom: Prometheus asks from its own namespace; set [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}], or networkPolicy.enabled=false" }}{{ end -}}
{{- end -}}
{{- range $c := list "ingress" "worker" -}}
{{- $a := (get $v $c).autoscaling -}}
{{- if gt (int $a.minReplicas) (int $a.maxReplicas) }}{{ $wrong = append $wrong (printf "%s.autoscaling.minReplicas: set at most maxReplicas, %d" $c (int $a.maxReplicas)) }}{{ end -}}
{{- end -}}
{{- range $name, $_ := merge (dict) $v.env $v.ingress.env $v.worker.env -}}
{{- if has $name (list "CHATLANE_BOT_TOKEN" "CHATLANE_WEBHOOK_SECRET") }}{{ if not (kindIs "map" $_) }}{{ $wrong = append $wrong (printf "env.%s: a secret in plain text; set bot.existingSecret or {valueFrom: {secretKeyRef: ...}}" $name) }}{{ end }}{{ end -}}
{{- end -}}
{{- if $wrong }}{{ fail (printf "\n\n%s\n" (join "\n" $wrong)) }}{{ end -}}
{{- end }}
