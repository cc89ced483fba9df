require 'base64'
require 'json'
require 'openssl'

# Returns the event of a request. Raises unless Parley signed it within the last 5 minutes.
def verify(secret, headers, body)
  timestamp = headers['webhook-timestamp']
  raise 'The request is too old.' if (Time.now.to_i - Integer(timestamp, 10)).abs > 300

  key = Base64.decode64(secret.delete_prefix('whsec_'))
  content = "#{headers['webhook-id']}.#{timestamp}.#{body}"
  expected = "v1,#{Base64.strict_encode64(OpenSSL::HMAC.digest('SHA256', key, content))}"
  headers['webhook-signature'].split(' ').each do |signature|
    return JSON.parse(body) if OpenSSL.secure_compare(signature, expected)
  end
  raise 'The signature is wrong.'
end
