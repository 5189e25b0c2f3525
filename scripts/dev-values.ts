// What values-dev.yaml cannot know: which images were built, and where the ingress is.

/** Values of the chart. */
export type Values = Readonly<Record<string, unknown>>;

/**
 * Values for the images of a checkout, on top of values-dev.yaml.
 * @param images their full names; those called `test-…` stand in for the stores' own
 * @param url the address of the ingress with the host that it shall serve
 */
export function developmentValues(images: readonly string[], url: string): Values {
  const store = (name: string, more: Values = {}): Values => {
    const image = images.find((one) => one.includes(`/test-${name}:`));
    return image === undefined ? {} : { [name]: { image, ...more } };
  };
  return {
    image: { tags: tagsOf(images) },
    ingress: { host: new URL(url).hostname },
    publicUrl: url,
    sandbox: { image: 'sandbox-node' },
    development: {
      ...store('postgres', { dataDir: '/var/lib/postgresql/15/main' }),
      ...store('nats'),
      ...store('valkey'),
      ...store('s3'),
    },
  };
}

/** Tags by the names of images, as the chart takes them. */
export function tagsOf(images: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(images.map((image) => /([^/:]+):([^:]+)$/.exec(image)?.slice(1) ?? []));
}
