// A test passes arguments to a script as one JSON object on stdin, and reads one JSON object from
// its stdout.

export async function readArguments() {
  let text = '';
  for await (const chunk of process.stdin) text += chunk;
  return JSON.parse(text);
}

export function writeResult(result) {
  process.stdout.write(JSON.stringify(result));
}
