# Call the verification function of docs/reference/webhooks.md as a receiver would.
# {module, secret, headers, body} → {event} or {error}

require 'json'

given = JSON.parse($stdin.read)
require given['module']
begin
  result = { event: verify(given['secret'], given['headers'], given['body']) }
rescue RuntimeError => e
  result = { error: e.message }
end
puts JSON.generate(result)
