require 'json'
require 'net/http'

answer = nil
5.times do
  answer = Net::HTTP.post(
    URI('https://parley.example/api/v1/chatbots/CHATBOT_ID/chat'),
    { message: 'Hello there' }.to_json,
    'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}",
    'Content-Type' => 'application/json'
  )
  break unless answer.code == '429'

  sleep answer['Retry-After'].to_i
end
puts JSON.parse(answer.body).dig('data', 'response')
