import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { describe, expect, it } from 'vitest';
import { imageName, imageOf, nextRelease, releaseImages, shippedImages } from './image-list.ts';

describe('the images', () => {
  it('are one for each service, the migrations, and the sandboxes', () => {
    const sandboxes = ['sandbox-node', 'sandbox-python', 'sandbox-browser'];
    expect(shippedImages).toEqual([...serviceNames, 'migrate', ...sandboxes]);
    expect(releaseImages).toEqual([...serviceNames, 'migrate', 'sandbox-node']);
  });

  it.each(shippedImages)('have their file, their target, and a tag that is a hash: %s', (name) => {
    const { file, target } = imageOf(name);
    const text = readFileSync(join(import.meta.dirname, '..', file), 'utf8');
    expect(text).toMatch(new RegExp(`^FROM .* AS ${target}$`, 'm'));
    expect(imageName(name)).toMatch(new RegExp(`^docker\\.io/swissbrain/${name}:[0-9a-f]{16}$`));
    expect(imageName(name, 'registry.example/sb')).toMatch(new RegExp(`^registry\\.example/sb/${name}:`));
  });

  it('stand on what their package depends on in production, and on nothing else of the workspace', () => {
    const { sources } = imageOf('agent-runner');
    expect(sources).toEqual(
      expect.arrayContaining(['services/agent-runner', 'packages/service-kit', 'packages/shared-schema']),
    );
    expect(sources.filter((one) => one.startsWith('services/'))).toEqual(['services/agent-runner']);
    expect(sources).not.toContain('packages/testkit');
    expect(imageOf('migrate').sources).toContain('db');
  });

  it('have a successor in the release after, under the same name with another tag', () => {
    expect(nextRelease.names).toEqual([...serviceNames, 'migrate']);
    expect(nextRelease.nameOf('credits')).toMatch(new RegExp(`^${imageName('credits')}-[0-9a-f]{8}$`));
  });

  it('are refused by a name that none has', () => {
    expect(() => imageName('billing')).toThrow('there is no image billing; there are agent-runner');
  });
});
