{{/* Fits Pod Security `restricted`. */}}
{{- define "swissbrain.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "swissbrain.containerSecurity" -}}
allowPrivilegeEscalation: false
{{- /* The image of development takes changed files while it runs. */}}
readOnlyRootFilesystem: {{ not .Values.development.image }}
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What images are pulled with; nothing where none is needed. */}}
{{- define "swissbrain.pullSecrets" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* An environment variable from the Secret. Takes (dict "root" $ "variable" V "key" K "optional" bool). */}}
{{- define "swissbrain.secretVariable" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ include "swissbrain.secretName" .root }}
      key: {{ .key }}
      {{- if .optional }}
      optional: true
      {{- end }}
{{- end -}}

{{- define "swissbrain.databaseHost" -}}
{{- if .Values.development.stores -}}
{{ include "swissbrain.fullname" . }}-postgres
{{- else -}}
{{ required "database.host: the host of Postgres is needed, or development.stores" .Values.database.host }}
{{- end -}}
{{- end -}}

{{/* The address without the password, which goes by PGPASSWORD: nothing needs to be percent-encoded. Takes (dict "root" $ "user" name). */}}
{{- define "swissbrain.databaseUrl" -}}
{{- $database := .root.Values.database -}}
postgres://{{ .user }}{{ $database.userSuffix }}@{{ include "swissbrain.databaseHost" .root }}:{{ $database.port }}/{{ $database.name }}
{{- if and $database.parameters (not .root.Values.development.stores) }}?{{ $database.parameters }}{{ end -}}
{{- end -}}

{{- define "swissbrain.natsUrl" -}}
{{- if .Values.development.stores -}}
nats://{{ include "swissbrain.fullname" . }}-nats:4222
{{- else -}}
{{ required "nats.url: the address of NATS is needed, or development.stores" .Values.nats.url }}
{{- end -}}
{{- end -}}

{{/* NATS for one user of it. Takes (dict "root" $ "user" name). */}}
{{- define "swissbrain.natsEnv" -}}
- name: NATS_URL
  value: {{ include "swissbrain.natsUrl" .root | quote }}
{{- if .root.Values.nats.authentication }}
- name: NATS_USER
  value: {{ .user }}
{{ include "swissbrain.secretVariable" (dict "root" .root "variable" "NATS_PASSWORD" "key" (printf "nats-password-%s" .user)) }}
{{- end }}
- name: NATS_STREAM_REPLICAS
  value: {{ .root.Values.nats.stream.replicas | quote }}
- name: NATS_STREAM_MAX_AGE_HOURS
  value: {{ .root.Values.nats.stream.maxAgeHours | quote }}
- name: NATS_STREAM_MAX_BYTES
  value: {{ .root.Values.nats.stream.maxBytes | int64 | quote }}
{{- end -}}

{{/* Where agent-runner keeps artifacts. */}}
{{- define "swissbrain.storageEnv" -}}
{{- $storage := .Values.storage -}}
{{- if $storage.bucket -}}
- { name: STORAGE_S3_BUCKET, value: {{ $storage.bucket | quote }} }
- { name: STORAGE_S3_REGION, value: {{ $storage.region | quote }} }
- { name: STORAGE_LINKS, value: {{ $storage.links }} }
{{- with $storage.endpoint | default (.Values.development.stores | ternary (printf "http://%s-s3:7070" (include "swissbrain.fullname" .)) "") }}
- { name: STORAGE_S3_ENDPOINT, value: {{ . | quote }} }
{{- end }}
{{- /* The ingress leads to the bucket beside the release's own stores. */}}
{{- with $storage.publicEndpoint | default (and .Values.development.stores .Values.ingress.enabled .Values.publicUrl) }}
- { name: STORAGE_S3_PUBLIC_ENDPOINT, value: {{ . | quote }} }
{{- end }}
{{- if $storage.keysFromSecret }}
{{ include "swissbrain.secretVariable" (dict "root" . "variable" "STORAGE_S3_ACCESS_KEY_ID" "key" "s3-access-key-id") }}
{{ include "swissbrain.secretVariable" (dict "root" . "variable" "STORAGE_S3_SECRET_ACCESS_KEY" "key" "s3-secret-access-key") }}
{{- end }}
{{- else -}}
{{- fail "storage.bucket: the bucket of artifacts is needed" -}}
{{- end -}}
{{- end -}}

{{/* The environment of a service. Takes (dict "root" $ "service" name "values" its values). */}}
{{- define "swissbrain.serviceEnv" -}}
{{- $root := .root -}}
- name: NODE_ENV
  value: production
- name: HOST
  value: 0.0.0.0
- name: PORT
  value: "8080"
- name: LOG_LEVEL
  value: {{ $root.Values.telemetry.logLevel }}
- name: SHUTDOWN_DEADLINE_MS
  value: {{ mul .values.drainSeconds 1000 | quote }}
{{- with $root.Values.publicUrl }}
- name: PUBLIC_URL
  value: {{ . | quote }}
{{- end }}
- name: DATABASE_URL
  value: {{ include "swissbrain.databaseUrl" (dict "root" $root "user" (printf "sb_%s_login" (.service | replace "-" "_"))) | quote }}
{{ include "swissbrain.secretVariable" (dict "root" $root "variable" "PGPASSWORD" "key" (printf "database-password-%s" .service)) }}
- name: DATABASE_POOL_SIZE
  value: {{ $root.Values.database.poolSize | quote }}
{{ include "swissbrain.natsEnv" (dict "root" $root "user" .service) }}
{{- if $root.Values.development.stores }}
{{ include "swissbrain.secretVariable" (dict "root" $root "variable" "REDIS_PASSWORD" "key" "redis-password") }}
- name: REDIS_URL
  value: redis://:$(REDIS_PASSWORD)@{{ include "swissbrain.fullname" $root }}-valkey:6379
{{- else }}
{{ include "swissbrain.secretVariable" (dict "root" $root "variable" "REDIS_URL" "key" "redis-url") }}
{{- end }}
- name: JOBS_PREFIX
  value: {{ printf "%s-%s" $root.Release.Namespace (include "swissbrain.fullname" $root) | trunc 60 | quote }}
{{- if $root.Values.auth.jwksUrl }}
- name: AUTH_JWKS_URL
  value: {{ $root.Values.auth.jwksUrl | quote }}
{{- else }}
{{ include "swissbrain.secretVariable" (dict "root" $root "variable" "AUTH_JWT_SECRET" "key" "auth-jwt-secret") }}
{{- end }}
{{- with $root.Values.auth.issuer }}
- name: AUTH_ISSUER
  value: {{ . | quote }}
{{- end }}
{{- with $root.Values.auth.audience }}
- name: AUTH_AUDIENCE
  value: {{ . | quote }}
{{- end }}
{{- with $root.Values.telemetry.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- range $variable, $key := .values.secretEnv }}
{{ include "swissbrain.secretVariable" (dict "root" $root "variable" $variable "key" $key) }}
{{- end }}
{{- range $variable, $key := .values.optionalSecretEnv }}
{{ include "swissbrain.secretVariable" (dict "root" $root "variable" $variable "key" $key "optional" true) }}
{{- end }}
{{- range $variable, $value := .values.env }}
- name: {{ $variable }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}
