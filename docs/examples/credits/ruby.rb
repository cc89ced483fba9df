require 'json'
require 'net/http'

answer = Net::HTTP.get(
  URI('https://parley.example/api/v1/credits'),
  'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}"
)
puts JSON.parse(answer).dig('data', 'balance')
