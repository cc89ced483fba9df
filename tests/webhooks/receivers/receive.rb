# The function of docs/webhooks.md, called as a receiver calls it.
# {module, secret, headers, body} → {event} or {error}

require 'json'

given = JSON.parse($stdin.read)
require given['module']
begin
  told = { event: verify(given['secret'], given['headers'], given['body']) }
rescue RuntimeError => e
  told = { error: e.message }
end
puts JSON.generate(told)
