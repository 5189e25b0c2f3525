/**
 * The session's secret: from SANDBOX_SECRET, which is taken out of the environment, else from the first line of
 * standard input. Standard input is the better way where users' programs share our user: a process's first
 * environment stays readable in /proc whatever it deletes from it.
 * @throws Error when there is none
 */
export async function takeSecret(
  environment: Record<string, string | undefined>,
  input: AsyncIterable<Uint8Array>,
): Promise<string> {
  const given = environment.SANDBOX_SECRET;
  delete environment.SANDBOX_SECRET;
  const secret = given ?? (await firstLine(input));
  if (secret.length < 32)
    throw new Error('the sandbox runtime was given no secret of at least 32 characters');
  return secret;
}

async function firstLine(input: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of input) {
    text += Buffer.from(chunk).toString('utf8');
    if (text.includes('\n') || text.length > 4_096) break;
  }
  return text.split('\n', 1)[0]?.trim() ?? '';
}
