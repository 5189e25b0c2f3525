const secretWords: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'credential',
  'credentials',
  'passphrase',
  'password',
  'secret',
  'signature',
  'token',
]);
const secretPairs: ReadonlySet<string> = new Set([
  'api_key',
  'access_key',
  'private_key',
  'encryption_key',
  'session_key',
]);
const jsonWebToken = /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g;
const providerKey = /\b(?:sk|pk|rk|ghp|gho|ghs|xoxb|xoxp|AKIA)[-_]?[A-Za-z0-9][\w-]{15,}/g;
const urlPassword = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+(@)/gi;
const urlSecret = /([?&](?:signature|token|access_token|api_key|key|secret|x-amz-signature)=)[^&\s"]+/gi;

const hidden = '[redacted]';

/**
 * A copy of an event's data that is safe to show: texts under a secret's name, tokens, keys and passwords in
 * URLs are replaced. Numbers stay, so that `input_tokens: 12` is still read.
 */
export function redact(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        key,
        isSecretName(key) && isSecretShape(inner) ? hidden : redact(inner),
      ]),
    );
  }
  return value;
}

function redactText(text: string): string {
  return text
    .replace(jsonWebToken, hidden)
    .replace(providerKey, hidden)
    .replace(urlPassword, `$1${hidden}$2`)
    .replace(urlSecret, `$1${hidden}`);
}

function isSecretShape(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'object' && value !== null);
}

function isSecretName(key: string): boolean {
  const words = key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return words.some(
    (word, i) =>
      secretWords.has(word) || secretPairs.has(`${word}_${words[i + 1] ?? ''}`) || word === 'apikey',
  );
}
