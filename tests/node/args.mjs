// What a test asks of a script: one JSON object on standard input. What came of it: one on
// standard output.

export async function given() {
  let text = '';
  for await (const piece of process.stdin) text += piece;
  return JSON.parse(text);
}

export function tell(result) {
  process.stdout.write(JSON.stringify(result));
}
