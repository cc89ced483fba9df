<?php

$request = curl_init('https://parley.example/api/v1/chatbots/CHATBOT_ID/turns/TURN_ID');
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        'Authorization: Bearer ' . getenv('PARLEY_API_KEY'),
    ],
]);
$answer = json_decode(curl_exec($request), true);
echo $answer['data']['status'], "\n";
