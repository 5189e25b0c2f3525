import { describe, expect, test } from 'vitest';
import { installerOf, type Machine, missingProgramMessage } from './install.ts';

const debian: Machine = {
  platform: 'linux',
  isRoot: true,
  osRelease: 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n',
  has: (command) => command === 'apt-get',
};

describe('what installs a missing server', () => {
  test('apt as root on Debian', () => expect(installerOf(debian)).toBe('apt'));
  test('apt as root on what is like Debian', () => {
    expect(installerOf({ ...debian, osRelease: 'ID=linuxmint\nID_LIKE="ubuntu debian"\n' })).toBe('apt');
  });
  test('nothing without root', () => expect(installerOf({ ...debian, isRoot: false })).toBe('none'));
  test('nothing on another Linux', () => {
    expect(installerOf({ ...debian, osRelease: 'ID=fedora\n', has: () => true })).toBe('none');
  });
  test('Homebrew on macOS', () => {
    expect(
      installerOf({ platform: 'darwin', isRoot: false, osRelease: '', has: (name) => name === 'brew' }),
    ).toBe('brew');
  });
  test('nothing on macOS without it', () => {
    expect(installerOf({ platform: 'darwin', isRoot: true, osRelease: '', has: () => false })).toBe('none');
  });
});

test('the message names every way to get what is missing', () => {
  const message = missingProgramMessage(['nats', 'redis']);
  for (const way of [
    'nats-server and redis-server on PATH',
    'apt-get install -y nats-server redis-server',
    'brew install nats-server redis',
    'Docker',
    'NATS_URL and REDIS_URL',
  ]) {
    expect(message).toContain(way);
  }
});
