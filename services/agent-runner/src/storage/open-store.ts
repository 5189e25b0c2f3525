import { resolve } from 'node:path';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { Clock } from '@swissbrain/service-kit/clock';
import type { Config } from '../config.ts';
import { createLocalStore } from './local-store.ts';
import type { ObjectStore } from './object-store.ts';
import { createS3Store } from './s3-store.ts';

const connectWithinMs = 5_000;
const answerWithinMs = 60_000;

type StorageConfig = Pick<
  Config,
  | 'STORAGE_DIR'
  | 'STORAGE_S3_BUCKET'
  | 'STORAGE_S3_REGION'
  | 'STORAGE_S3_ENDPOINT'
  | 'STORAGE_S3_PUBLIC_ENDPOINT'
  | 'STORAGE_S3_ACCESS_KEY_ID'
  | 'STORAGE_S3_SECRET_ACCESS_KEY'
  | 'STORAGE_S3_PATH_STYLE'
>;

function clientConfig(config: StorageConfig, endpoint: string | undefined): S3ClientConfig {
  const { STORAGE_S3_ACCESS_KEY_ID: accessKeyId, STORAGE_S3_SECRET_ACCESS_KEY: secretAccessKey } = config;
  return {
    region: config.STORAGE_S3_REGION,
    forcePathStyle: config.STORAGE_S3_PATH_STYLE,
    ...(endpoint ? { endpoint } : {}),
    // Without, the SDK looks where a cloud puts them: web identity, instance, environment.
    ...(accessKeyId && secretAccessKey ? { credentials: { accessKeyId, secretAccessKey } } : {}),
    // Other servers than Amazon's know them in part; the signature carries the SHA-256 of every body.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: connectWithinMs,
      requestTimeout: answerWithinMs,
      throwOnRequestTimeout: true,
    },
  };
}

/** The object store that the configuration names: a bucket, else a folder. */
export function openObjectStore(
  config: StorageConfig,
  clock: Clock,
): { readonly objects: ObjectStore; close(): void } {
  const { STORAGE_S3_BUCKET: bucket, STORAGE_S3_ENDPOINT: endpoint } = config;
  if (!bucket) {
    if (!config.STORAGE_DIR) throw new Error('STORAGE_DIR or STORAGE_S3_BUCKET is required');
    return { objects: createLocalStore(resolve(config.STORAGE_DIR), clock), close: () => {} };
  }
  const client = new S3Client(clientConfig(config, endpoint));
  const linkClient = new S3Client(clientConfig(config, config.STORAGE_S3_PUBLIC_ENDPOINT ?? endpoint));
  return {
    objects: createS3Store({ client, linkClient, bucket, clock }),
    close() {
      client.destroy();
      linkClient.destroy();
    },
  };
}
