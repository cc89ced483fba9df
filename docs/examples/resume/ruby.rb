require 'json'
require 'net/http'

url = URI('https://parley.example/api/v1/chatbots/CHATBOT_ID/turns/TURN_ID/stream')
request = Net::HTTP::Get.new(
  url,
  'Authorization' => "Bearer #{ENV.fetch('PARLEY_API_KEY')}",
  'Last-Event-ID' => '2'
)
Net::HTTP.start(url.host, url.port, use_ssl: url.scheme == 'https') do |http|
  http.request(request) do |answer|
    answer.value # raises unless the status is 200
    rest = +''
    answer.read_body do |piece|
      *lines, rest = (rest + piece).split("\n", -1)
      lines.grep(/\Adata: \{/).each do |line|
        event = JSON.parse(line.delete_prefix('data: '))
        print event['delta'] if event['type'] == 'message.delta'
        raise event['error'] if event['type'] == 'error'
      end
    end
  end
end
