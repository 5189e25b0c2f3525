import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { mapDatabaseError } from './database-errors.ts';
import { AppError, kitErrors, toError } from './errors.ts';
import type { Http } from './http-types.ts';

/** Seconds after which a client should try again what failed with retry `later`. */
const retryAfterSeconds = 1;

/** A problem document, RFC 9457. */
export function toProblem(error: AppError, instance: string): Record<string, unknown> {
  const { code, status, title, detail, extensions } = error;
  return { type: `urn:swissbrain:problem:${code}`, title, status, detail, code, instance, ...extensions };
}

/** Makes every failure of a request a problem document; unknown ones are logged and answered without details. */
export function answerWithProblems(http: Http): void {
  http.setErrorHandler((thrown, request, reply) => sendProblem(thrown, request, reply));
  http.setNotFoundHandler((request, reply) =>
    sendProblem(kitErrors.not_found(`there is no ${request.method} ${pathOf(request)}`), request, reply),
  );
}

/** Answers a request with the problem document of whatever was thrown. */
export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toAppError(thrown);
  if (error.status >= 500) request.log.error({ err: thrown }, 'request failed');
  else request.log.debug({ code: error.code, detail: error.detail }, 'request refused');
  if (error.status === 401)
    reply.header('www-authenticate', `Bearer error="invalid_token", error_description="${error.detail}"`);
  if (error.retry === 'later' && !reply.hasHeader('retry-after'))
    reply.header('retry-after', retryAfterSeconds);
  return reply
    .status(error.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .serializer((problem: unknown) => JSON.stringify(problem))
    .send(toProblem(error, pathOf(request)));
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '/';
}

function toAppError(thrown: unknown): AppError {
  const mapped = mapDatabaseError(thrown);
  if (mapped instanceof AppError) return mapped;
  if (hasZodFastifySchemaValidationErrors(mapped)) return invalidRequest(mapped);
  const error: Partial<FastifyError> & Error = toError(mapped);
  return fromFastify(error) ?? kitErrors.internal('something went wrong on our side');
}

/** Names every field that did not pass, as a JSON pointer into its part of the request. */
function invalidRequest(error: {
  validation: { instancePath: string; message?: string }[];
  validationContext?: string;
}): AppError {
  const part = error.validationContext ?? 'body';
  const errors = error.validation.map(({ instancePath, message }) => ({
    in: part,
    pointer: instancePath === '/' ? '' : instancePath,
    detail: message ?? 'not valid',
  }));
  const first = errors[0];
  const detail = first ? `${part}${first.pointer}: ${first.detail}` : `the ${part} is not valid`;
  return kitErrors.invalid_request(detail, { errors });
}

/** Failures that Fastify and its plugins notice before a handler runs. */
function fromFastify(error: Partial<FastifyError> & Error): AppError | undefined {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return kitErrors.body_too_large('the body is larger than this service accepts');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return kitErrors.unsupported_media_type('send the body as application/json');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return kitErrors.invalid_request('the body is not valid JSON');
    case 'FST_UNDER_PRESSURE':
      return kitErrors.overloaded('try again in a moment');
  }
  const status = error.statusCode ?? 500;
  if (status === 429) return kitErrors.too_many_requests(error.message);
  if (error instanceof SyntaxError && status === 400)
    return kitErrors.invalid_request('the body is not valid JSON');
  if (status < 400 || status >= 500) return undefined;
  return new AppError({
    code: 'invalid_request',
    status,
    title: STATUS_CODES[status] ?? 'The request is not valid',
    detail: error.message,
  });
}
