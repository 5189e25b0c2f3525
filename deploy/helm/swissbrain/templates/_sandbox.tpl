{{/* The name of a sandbox namespace: (dict "root" $ "key" key "namespace" value) */}}
{{- define "swissbrain.sandboxNamespace" -}}
{{- .namespace.name | default (printf "%s-sandbox-%s" (include "swissbrain.clusterName" .root) .key) -}}
{{- end -}}

{{- define "swissbrain.sandboxLabels" -}}
app.kubernetes.io/name: swissbrain
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: sandbox
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* Tells the namespaces of this release's sandboxes from all others. */}}
{{- define "swissbrain.sandboxesOf" -}}
{{- printf "%s.%s" .Release.Name .Release.Namespace | trunc 63 -}}
{{- end -}}

{{/* The settings of agent-runner that are about sandboxes. */}}
{{- define "swissbrain.sandboxEnv" -}}
{{- $sandbox := .Values.sandbox -}}
- { name: SANDBOX_DRIVER, value: kubernetes }
- { name: SANDBOX_IMAGE, value: {{ include "swissbrain.image" (dict "root" . "image" $sandbox.image) | quote }} }
- { name: SANDBOX_IMAGE_PULL_POLICY, value: {{ .Values.image.pullPolicy }} }
- { name: SANDBOX_NAMESPACES, value: {{ include "swissbrain.sandboxNamespaces" . | quote }} }
- { name: SANDBOX_INSTANCE, value: {{ .Release.Name | quote }} }
{{- if $sandbox.runtimeClassName }}
- { name: SANDBOX_RUNTIME_CLASS, value: {{ $sandbox.runtimeClassName | quote }} }
{{- end }}
{{- if $sandbox.internet.enabled }}
- { name: SANDBOX_EGRESS, value: internet }
- { name: SANDBOX_NAMESERVERS, value: {{ join "," $sandbox.internet.nameservers | quote }} }
{{- end }}
- { name: SANDBOX_WARM_SESSIONS, value: {{ $sandbox.warmSessions | quote }} }
- { name: SANDBOX_REQUIRE_ISOLATION, value: {{ $sandbox.requireIsolation | quote }} }
- { name: SANDBOX_HOST_USERS, value: {{ $sandbox.hostUsers | quote }} }
{{- end -}}

{{/* What agent-runner is told: default=<namespace>,<tier>=<namespace> */}}
{{- define "swissbrain.sandboxNamespaces" -}}
{{- $pairs := list -}}
{{- range $key, $namespace := .Values.sandbox.namespaces -}}
{{- $pairs = append $pairs (printf "%s=%s" $key (include "swissbrain.sandboxNamespace" (dict "root" $ "key" $key "namespace" $namespace))) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}
