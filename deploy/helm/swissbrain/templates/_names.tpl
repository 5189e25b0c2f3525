{{- define "swissbrain.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "swissbrain.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "swissbrain.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "swissbrain.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Names of objects that belong to no namespace: two releases of one name may stand in two namespaces. */}}
{{- define "swissbrain.clusterName" -}}
{{- if eq .Release.Name .Release.Namespace -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Namespace .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select pods: never changed, a Deployment's selector is immutable. Takes (dict "root" $ "component" name). */}}
{{- define "swissbrain.selector" -}}
app.kubernetes.io/name: {{ include "swissbrain.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "swissbrain.labels" -}}
{{ include "swissbrain.selector" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: swissbrain
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Takes (dict "root" $ "image" name). */}}
{{- define "swissbrain.image" -}}
{{- $image := .root.Values.image -}}
{{- $one := and .root.Values.development.image (not (hasPrefix "sandbox-" .image)) -}}
{{- $digest := index $image.digests .image -}}
{{- if $one -}}
{{ .root.Values.development.image }}
{{- else if $digest -}}
{{ $image.registry }}/{{ .image }}@{{ $digest }}
{{- else -}}
{{ $image.registry }}/{{ .image }}:{{ index $image.tags .image | default $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* One service's values over the defaults, as YAML. Takes (dict "root" $ "service" name). */}}
{{- define "swissbrain.service" -}}
{{- $own := index .root.Values.services .service | default dict -}}
{{- mergeOverwrite (deepCopy .root.Values.serviceDefaults) (deepCopy $own) | toYaml -}}
{{- end -}}

{{- define "swissbrain.secretName" -}}
{{- .Values.secrets.existingSecret | default (printf "%s-secrets" (include "swissbrain.fullname" .)) -}}
{{- end -}}

{{/* The keys that the Secret must have, as a JSON list. */}}
{{- define "swissbrain.secretKeys" -}}
{{- $keys := list "database-admin-password" (.Values.development.stores | ternary "redis-password" "redis-url") -}}
{{- if not .Values.auth.jwksUrl -}}{{- $keys = append $keys "auth-jwt-secret" -}}{{- end -}}
{{- if .Values.nats.authentication -}}{{- $keys = append $keys "nats-password-admin" -}}{{- end -}}
{{- if and .Values.storage.bucket .Values.storage.keysFromSecret -}}{{- $keys = concat $keys (list "s3-access-key-id" "s3-secret-access-key") -}}{{- end -}}
{{- if .Values.development.stores -}}{{- $keys = append $keys "nats-password-operator" -}}{{- end -}}
{{- $root := . -}}
{{- range $service, $_ := .Values.services -}}
{{- $values := include "swissbrain.service" (dict "root" $root "service" $service) | fromYaml -}}
{{- if $values.enabled -}}
{{- $keys = append $keys (printf "database-password-%s" $service) -}}
{{- if $root.Values.nats.authentication -}}{{- $keys = append $keys (printf "nats-password-%s" $service) -}}{{- end -}}
{{- range $_, $key := $values.secretEnv -}}{{- $keys = append $keys $key -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $keys | uniq | sortAlpha | toJson -}}
{{- end -}}
