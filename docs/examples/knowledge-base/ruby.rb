require 'json'
require 'net/http'

answer = Net::HTTP.post(
  URI('https://parley.example/api/v1/knowledge-bases'),
  { name: 'Help center' }.to_json,
  'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}",
  'Content-Type' => 'application/json'
)
puts JSON.parse(answer.body).dig('data', 'id')
