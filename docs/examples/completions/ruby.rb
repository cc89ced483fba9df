require 'json'
require 'net/http'

answer = Net::HTTP.post(
  URI('https://parley.example/api/v1/openai/chat/completions'),
  {
    model: 'CHATBOT_ID',
    messages: [{ role: 'user', content: 'Hello there' }]
  }.to_json,
  'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}",
  'Content-Type' => 'application/json'
)
puts JSON.parse(answer.body).dig('choices', 0, 'message', 'content')
