require 'json'
require 'net/http'

answer = Net::HTTP.post(
  URI('https://parley.example/api/v1/conversation-exports'),
  { format: 'csv', from: '2026-11-01T00:00:00Z' }.to_json,
  'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}",
  'Content-Type' => 'application/json'
)
puts JSON.parse(answer.body).dig('data', 'id')
