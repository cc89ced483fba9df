require 'json'
require 'net/http'

answer = Net::HTTP.post(
  URI('https://parley.example/api/v1/chatbots/CHATBOT_ID/turns/TURN_ID/stop'),
  '',
  'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}"
)
puts JSON.parse(answer.body).dig('data', 'finishReason')
