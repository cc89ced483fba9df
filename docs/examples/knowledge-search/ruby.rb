require 'json'
require 'net/http'

answer = Net::HTTP.post(
  URI('https://parley.example/api/v1/knowledge-bases/KNOWLEDGE_BASE_ID/search'),
  { query: 'When do you ship?' }.to_json,
  'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}",
  'Content-Type' => 'application/json'
)
JSON.parse(answer.body)['data']['results'].each { |result| puts result['text'] }
